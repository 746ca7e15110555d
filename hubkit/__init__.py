"""The shared kernel: what every deployable stands on. It knows no referral logic; `contracts` alone names the domain."""
