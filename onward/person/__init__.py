"""What the hub holds about one person, who received what of it, and what they may have of it."""
