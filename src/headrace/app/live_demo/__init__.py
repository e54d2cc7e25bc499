"""The whole of a live site on one machine: simulated devices behind real protocols, engine, grid event, proof."""
