"""All queries of partners."""
