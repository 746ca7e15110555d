"""The rules of triage, pure: `triage.decide` asks them in order, each file answers one question.

subject (what do the rules look at?), acceptance (do we take it on?), entitlement (which rights?), needs, levels (how
urgent?), contacts (whom do we contact, how safely, by when?), then outputs of care (who works on it, assessment, plan),
inbound (what came from the police?), standing (where does the case stand?) and surveys; all on conditions (when does a
rule apply?), on the rulebook (a profile made ready) and on the kernel's deadlines (when is a deadline?).
"""
