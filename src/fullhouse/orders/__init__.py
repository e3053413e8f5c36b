"""What buyers agreed to pay for: orders, lines, units."""
