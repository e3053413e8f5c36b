"""What every feature shares: ids, money, errors, the actor, messages. Standard library only."""
