"""Partners: agreements, consent, the gate, onward referrals, disclosures and the webhooks that tell partners."""
