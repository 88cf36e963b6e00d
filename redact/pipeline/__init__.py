"""Redacts a record: fields are walked, findings replaced, the result proved and audited."""
