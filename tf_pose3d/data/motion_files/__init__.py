"""Files of motion capture with skeletons (BVH, Acclaim's ASF with AMC), read into joint positions."""
