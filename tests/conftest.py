"""What all tests share. The network beyond loopback is blocked for every test by pytest-socket (see pyproject.toml)."""
