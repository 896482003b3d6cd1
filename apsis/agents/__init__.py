"""The agent protocol, the server's end, and the agent."""
