"""The ground floor: dtypes, devices, sizes and stride arithmetic.

Nothing here knows about tensors. Everything above passes plain tuples of ints, `dtype` and `device` singletons
down to these modules and gets the same kinds of values back.
"""
