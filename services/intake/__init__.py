"""The intake service: takes referrals and transfers in, holds the person, finds repeats."""
