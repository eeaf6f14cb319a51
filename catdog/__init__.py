"""Which of the two is it: a cat or a dog?"""
