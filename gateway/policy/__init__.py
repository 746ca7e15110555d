"""Pure decisions of the gateway: which call goes where, how often, who claims to call, which key signs."""
