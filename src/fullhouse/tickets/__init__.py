"""The documents of units: codes, issuing, rendering, mailing, voiding."""
