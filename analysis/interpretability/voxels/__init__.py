"""How few units or features predict a recording, and which region each predicts."""
