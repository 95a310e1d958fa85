"""How the sandbox makes a clip. Needs Pillow, and PyAV for the film itself; loaded only when there is one to make."""
