"""The shared kernel of all deployables. It knows no referral logic; `contracts` alone names the domain."""
