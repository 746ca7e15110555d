"""Request and response bodies of partners."""
