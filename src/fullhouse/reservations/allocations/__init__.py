"""What is kept from the public: sold by who may, and given back to where it came from."""
