"""Layers as stacks of smaller ones: which can be, at which ranks, and the stacks in their place.

In the order in which `decomposing` takes a model through them, each above what it is made of:

    layers              nodes whose kernel can be factored, or why not
    ways                how a kernel can be parted
    prospects           layers with the stacks that are quick enough, or of the ranks in `given_ranks`
      speed
        workload        how often a kernel is applied, at `nominal_sizes`
        latency         what that takes: by a model, or by `timing` of `timed_models`
    memory              how many layers are factored together, in `available_memory`
    moments
      moment_gathering  what layers see and give, if there are data
      patch_moments     covariances, of `parted_moments`, seen through `windows`
      tap_means         means
      output_moments    variances, and which outputs count
    candidates          layers with their options: stack, cost, error
      factorings        a kernel factored in one way, to be cut at any rank
    ranks
      error_weights     what the error of each layer counts for
      sensitivity       what the output of the network makes of it
      rank_choice       one option for each layer, or why it stays as it is
      acceptance        what a stack must keep to
      amct_rule         what AMCT does
    replacing           the stack in the place of the node, with a bias by `composition`
    ledger              what is told of it

`replaying` does the same to another model without any search.
"""
