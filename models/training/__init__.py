"""How models are made: data, losses, training steps, tables, export."""
