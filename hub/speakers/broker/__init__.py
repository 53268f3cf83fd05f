"""The broker between hub and loudspeakers: accounts, rights, and the process that serves them."""
