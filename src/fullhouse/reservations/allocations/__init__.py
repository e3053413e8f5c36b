"""Selling what is kept from the public, for who may."""
