"""To give away: the packed bundle, the exported network, and what its result states about the slide it is given.

- `package`: a training run as a bundle. `trained_run`, `source`, `licences`: what may be packed. `export`, `card`, `archive`:
  the parts of the package.
- `reference`: the numbers of the validation patients that travel with a network, by `conformal`, `flips`, `novelty` and
  `recalibrate`.
- `slide_model`, `slide_features`, `statement`: a slide's result, for the deploy app and for `served_model`, which `register`
  puts into MLflow's registry.
"""
