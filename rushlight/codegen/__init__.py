"""The compiler: a recorded program that repeats becomes machine code; docs/compiler.md follows one through.

    meaning     capture runs an operation's NumPy kernel on Symbols; formulas, assembly, windows and views say what
                NumPy's functions, arrays put together, pools and looks at memory are to it
    plan        fuse puts the Symbols of a run of calls into few loop nests; reshaped, separate, recompute, epilogue,
                layout, updates, inplace and arena are its passes
    products    contract makes stages of a contraction, tiling cuts it into tiles, tiles writes these; relayout and
                transpose copy operands
    draws       mersenne makes random numbers, drawing has a native function call it
    loops       loops writes a nest; columns, crossing, interleave and indirect write parts of it; division says how
                it falls into units, parallel makes a function of these, team runs it on several threads; scan puts the
                kernels of a plan of its own into a loop
    loop IR     ir is the language that these write in, arithmetic its words for typed numbers, lanes, functions and
                trigonometry vector functions made of them; entry writes the function around it all, contexts the
                part of it that calls many kernels.  interpret runs it in NumPy, verify checks it, and the Plan between
                its passes
    text        llvm prints LLVM's language
    machine     compiles, links and keeps object code; modules says what is compiled together, and how well; native runs
                a program with it, results are the arrays that it gives back
    when        background decides when something is compiled, dispatch what comes first; process is the compiler's
                process, server what it does, description a program on its way there; plans are whole programs in the
                cache
    any extent  general writes functions whose extents are arguments, for what is interpreted because its shapes never
                repeat: general_rows, general_places, general_planes, general_steps and general_pointwise
    seeing in   explain and timing

An operation needs no second definition for this: its NumPy kernel is the source of both ways to run it.
"""
