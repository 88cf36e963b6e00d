"""Metrics of answers by layer: retrieval, generation, agent, operations. One module a layer."""
