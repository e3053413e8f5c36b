"""What is charged beside the price of a ticket: fees, taxes, discounts, and the codes that give them."""
