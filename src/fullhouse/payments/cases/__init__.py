"""Cases of money: what only a person can put right, and how one did."""
