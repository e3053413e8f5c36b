"""What buyers say of people: who a ticket is for, answers, and what they agree to. All of it can be erased."""
