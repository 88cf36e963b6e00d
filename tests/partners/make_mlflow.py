"""Makes an empty database of MLflow in the working folder."""

import mlflow

mlflow.set_tracking_uri("sqlite:///mlflow.db")
print(len(mlflow.search_experiments()))
