"""Placing orders: what is asked for, agreeing on it, writing it, and the desk where those that wait are placed."""
