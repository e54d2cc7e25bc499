from hypothesis import given
from hypothesis import strategies as st

from headrace.settlement.merkle import leaf_of, proof_of, root_from, root_of

MESSAGES = st.lists(st.binary(max_size=8), min_size=1, max_size=40)


def slow_root(leaves):
    """RFC 6962, section 2.1, as it is written."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    import hashlib

    return hashlib.sha256(b"\x01" + slow_root(leaves[:split]) + slow_root(leaves[split:])).digest()


@given(MESSAGES)
def test_the_root_is_that_of_rfc_6962(messages):
    leaves = [leaf_of(m) for m in messages]
    assert root_of(leaves) == slow_root(leaves)


@given(MESSAGES, st.data())
def test_a_proof_leads_to_the_root_from_its_own_leaf_alone(messages, data):
    leaves = [leaf_of(m) for m in messages]
    position = data.draw(st.integers(0, len(leaves) - 1))
    proof = proof_of(leaves, position)
    assert root_from(leaves[position], proof) == root_of(leaves)
    other = leaf_of(data.draw(st.binary(min_size=9, max_size=12)))
    assert root_from(other, proof) != root_of(leaves)


@given(MESSAGES, st.data())
def test_a_proof_cut_or_lengthened_leads_nowhere(messages, data):
    import msgspec

    leaves = [leaf_of(m) for m in messages]
    proof = proof_of(leaves, data.draw(st.integers(0, len(leaves) - 1)))
    longer = msgspec.structs.replace(proof, siblings=(*proof.siblings, bytes(32)))
    assert root_from(leaves[proof.position], longer) is None
    if proof.siblings:
        shorter = msgspec.structs.replace(proof, siblings=proof.siblings[:-1])
        assert root_from(leaves[proof.position], shorter) is None
    outside = msgspec.structs.replace(proof, position=proof.leaves)
    assert root_from(leaves[proof.position], outside) is None
