"""What the line is: solutions, P(LAE)/P(OII), the combined continuum, the posterior and its evidence, flags.

`universe` holds the published luminosity functions and distances; `equivalent_widths` the distributions as
measured; `plae` the ratio of Lyα to [O II]; `continuum` the continuum under the line; `solutions` the
companion lines of every identity; `priors` and `posterior` the probabilities; `choice` what is finally
taken; `flags` and `conditions` the flags.
"""
