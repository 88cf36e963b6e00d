"""Keys, and what is made with them: pseudonyms, marks, signatures and sealed payloads."""
