"""What the pages promise: short sentences, code that runs, words that are where they say."""
