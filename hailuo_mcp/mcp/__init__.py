"""What an MCP client sees: tools, prompts, resources, tasks, subscriptions and the player. Use cases belong in
`service`."""
