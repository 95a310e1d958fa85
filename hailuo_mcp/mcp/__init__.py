"""The MCP interface: tools, prompts, resources, tasks, subscriptions and the player. Use cases belong in `service`."""
