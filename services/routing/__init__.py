"""The routing service: finds the service for each need, and the next when one does not take the person."""
