"""The general lifter: trained on openly licensed motion seen by made-up cameras."""
