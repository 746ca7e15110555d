"""The rules of triage, pure: `triage.decide` asks them in order, each file answers one question.

acceptance (do we take it on?), entitlement (which rights?), needs, levels (how urgent?), contacts (whom do we contact,
how safely, by when?) on conditions (when does a rule apply?) and on the kernel's deadlines (when is a deadline?).
"""
