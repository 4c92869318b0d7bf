"""The compiler: a recorded program that repeats becomes machine code.

    capture    runs an operation's NumPy kernel on symbols; what comes back is its meaning as an expression
    fuse       puts the expressions of a run of calls into few loop nests
    llvm       prints loop nests as LLVM text, vectorised
    native     compiles, links and calls that text; `Native.run` replaces `Program.run`
    background decides when: off the main thread, after a program has repeated

An operation needs no second definition for this: its NumPy kernel is the source of both ways to run it.
"""
