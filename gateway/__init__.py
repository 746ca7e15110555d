"""The edge: who may call, with which rights, how often; it knows the way to each service and holds no referral."""
