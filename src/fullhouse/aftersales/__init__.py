"""What happens to a sale afterwards: refunds of orders and sessions."""
