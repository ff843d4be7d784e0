"""Who may do what: users, accounts, their members and API keys, and one-time sign-in links."""
