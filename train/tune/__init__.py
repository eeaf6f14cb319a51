"""A search for a better recipe: a study of many short runs of `fit`, kept in a file that several processes share."""
