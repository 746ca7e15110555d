"""All queries of intake, and the translation between rows and what actions work with."""
