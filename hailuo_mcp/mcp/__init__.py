"""What an MCP client sees: tools, prompts, resources, tasks, subscriptions and the player. Nothing here decides a use
case."""
