"""Estimates of what reviewers would say of all judged rows, from the reviews of a few.

Only a review whose probability is known corrects anything; a label never does, since it may rest on
the judge itself.
"""
