"""How good a variant's outputs are: pure numpy functions, one idea per file.

alignment   which output of a runtime is which output of the reference
agreement   distance from the FP32 reference (cosine, SQNR, relative error)
accuracy    right or wrong per sample (top-1 class, triplet)
paired      loss of accuracy on the same samples, with its interval (Newcombe)
bootstrap   interval of a mean over samples
scoring     the above put together into one Quality record
"""
