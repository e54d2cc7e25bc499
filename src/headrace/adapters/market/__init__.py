"""The way to market: offers and operating plan as files that a market agent takes, awards read back."""
