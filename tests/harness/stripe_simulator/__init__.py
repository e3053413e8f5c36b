"""A stateful simulator of the part of Stripe that the product speaks to, over HTTP, by Stripe's library."""
